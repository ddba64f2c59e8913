"""``python -m xdomain``: the command ``xdomain``."""

from xdomain.cli.main import main

if __name__ == "__main__":
    main()
