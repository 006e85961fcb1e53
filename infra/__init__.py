"""The only description of the system: a CDK application that AWS and the local emulator deploy alike."""
