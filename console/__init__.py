"""What a person touches: the command, the embedded servers, the simulator."""
