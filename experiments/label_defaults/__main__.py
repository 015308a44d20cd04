"""`python -m experiments.label_defaults`; see study.py."""

from experiments.label_defaults.study import main

if __name__ == "__main__":
    main()
