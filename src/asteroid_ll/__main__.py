"""``python -m asteroid_ll`` is the command line."""

from asteroid_ll.cli import main

if __name__ == "__main__":
    main()
