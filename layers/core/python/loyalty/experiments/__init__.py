"""What campaigns caused: outcomes of members, effects against those kept out, and the report of both."""
