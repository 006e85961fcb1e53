"""One construct a concern; each is told what it needs and asks for nothing else."""
