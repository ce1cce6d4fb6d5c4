"""Fine-tuning in Azure AI Foundry: data, parameters and steps as files. Nothing is sent and nothing runs there."""
