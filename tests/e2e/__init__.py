"""The whole stack, deployed by the CDK to an emulator of its own, tried over HTTP. One deployment for all of it."""
