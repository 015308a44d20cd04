"""`python -m experiments.known_worlds`; see study.py."""

from experiments.known_worlds.study import main

if __name__ == "__main__":
    main()
