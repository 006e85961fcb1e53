"""``loyalty``, the operators' command line: a client of the HTTP API, and of the queues and the table where the API has
no say (dead letters, a programme's first client). Not shipped to Lambda.

| module | does |
|---|---|
| ``target`` | which stack, with which key |
| ``api`` | HTTP calls, their retries and problems |
| ``command`` | the command line |
| ``members`` ``clients`` ``program`` ``verify`` ``redrive`` ``bootstrap`` | one command each |
"""
