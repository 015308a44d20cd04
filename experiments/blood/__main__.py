"""`python -m experiments.blood --data FOLDER`; see study.py."""

from experiments.blood.study import main

if __name__ == "__main__":
    main()
