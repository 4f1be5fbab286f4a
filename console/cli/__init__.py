"""The petstream command: its parser, and what each command does."""
