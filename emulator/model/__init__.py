"""What a trained model is: transforms, statistics, network, bundle; below training and sampling."""
