"""What every part of the console stands on: signals, logs, output, child processes, progress."""
