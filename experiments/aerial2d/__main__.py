"""`python -m experiments.aerial2d`; see study.py."""

from experiments.aerial2d.study import main

if __name__ == "__main__":
    main()
