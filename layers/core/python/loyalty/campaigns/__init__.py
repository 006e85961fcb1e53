"""Campaigns: whom they are for, what they say and give on which day, and who is kept out to know what they did."""
