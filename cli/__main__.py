"""``python -m cli``; the script cli/loyalty calls it with the right paths."""

import sys

from cli.command import main

sys.exit(main(sys.argv[1:]))
