"""`python -m thorp` is the same as `thorp`."""

from thorp.cli.main import main

if __name__ == "__main__":
    main()
