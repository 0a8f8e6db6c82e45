"""Poll an account of the emulator sooner than one of AWS; on PYTHONPATH of the commands that a test runs."""

from dataclasses import replace

from asteroid_ll.aws import waiting

waiting.AWS_PACE = replace(waiting.AWS_PACE, first_s=0.05, shortest_s=0.2, longest_s=0.2)
