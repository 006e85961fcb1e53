"""Who holds points: members, their identities and the tokens that speak for them."""
