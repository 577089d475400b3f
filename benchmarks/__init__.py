"""What is measured, and the pages of it; loops are those of these sources, as in the program."""

import os

from worker.compiled_loops import keep_by_sources

keep_by_sources(os.environ)
