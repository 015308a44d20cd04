"""`python -m experiments.training_length`; see study.py."""

from experiments.training_length.study import main

if __name__ == "__main__":
    main()
