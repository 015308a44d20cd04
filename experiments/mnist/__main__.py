"""`python -m experiments.mnist WORLD --data FOLDER`; see study.py."""

from experiments.mnist.study import main

if __name__ == "__main__":
    main()
