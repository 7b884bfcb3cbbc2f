"""AWS's Inferentia and Trainium devices by `neuron-monitor`.

Known from the documentation of the AWS Neuron SDK alone: it was never run on the hardware.
"""
