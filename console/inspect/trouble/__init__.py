"""What is wrong, what that means and what to do; and which parts are alive."""
