"""What do the threads of one process spend their time on? Looked at from outside, without stopping it."""
