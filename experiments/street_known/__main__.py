"""`python -m experiments.street_known`; see study.py."""

from experiments.street_known.study import main

if __name__ == "__main__":
    main()
