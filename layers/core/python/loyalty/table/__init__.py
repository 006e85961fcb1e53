"""The single DynamoDB table: its keys, its client, its transactions."""
