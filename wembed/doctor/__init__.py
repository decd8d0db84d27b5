"""What a bug report needs: is everything there that wembed works with, and is it well?"""

from wembed.doctor.check import Check
from wembed.doctor.examine import Asked, examine

__all__ = ["Asked", "Check", "examine"]
