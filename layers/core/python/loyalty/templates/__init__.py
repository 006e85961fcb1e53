"""What members are told, in the words of the programme: texts by channel and language with variables in them."""
