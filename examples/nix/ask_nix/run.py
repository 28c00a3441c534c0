"""`python -m ask_nix.run COMMAND …`: runs any command with this example's own Nix."""

import os
import sys

from .backends import Home

if __name__ == "__main__":
    os.execvpe(sys.argv[1], sys.argv[1:], Home.of_environment().environment)
