"""`python -m experiments.multi_mnist --data FOLDER`; see study.py."""

from experiments.multi_mnist.study import main

if __name__ == "__main__":
    main()
