"""Named audiences: conditions over what is known of a member, and who is in them now."""
