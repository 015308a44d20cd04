"""`python -m experiments.label_policy`; see study.py."""

from experiments.label_policy.study import main

if __name__ == "__main__":
    main()
