"""What an operator looks at and decides: what is wrong, exports, held removals, dead letters."""
