"""``python -m xdomain.cli``: the command ``xdomain``."""

from xdomain.cli.main import main

if __name__ == "__main__":
    main()
