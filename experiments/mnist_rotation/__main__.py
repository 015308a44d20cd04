"""`python -m experiments.mnist_rotation --data FOLDER`; see README.md beside this file."""

from experiments.mnist.study import main

if __name__ == "__main__":
    main("rotation")
