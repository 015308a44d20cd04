"""`python -m experiments.selection`; see study.py."""

from experiments.selection.study import main

if __name__ == "__main__":
    main()
