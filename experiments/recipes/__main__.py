"""`python -m experiments.recipes`; see study.py."""

from experiments.recipes.study import main

if __name__ == "__main__":
    main()
