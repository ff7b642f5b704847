variable "name" {
  description = "Goes before the name of everything that is made here."
  type        = string
  nullable    = false
}

variable "existing_vpc" {
  description = "A network that is there, in the place of a new one: its id, and private subnets with a way out (NAT, or endpoints for everything the processor reaches)."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
  })
  default = null
}

variable "cidr" {
  description = "Addresses of the new VPC; a sixteenth of them for each subnet."
  type        = string
  default     = "10.42.0.0/16"
  nullable    = false
}

variable "kafka_ports" {
  description = "Ports of the brokers that the processor may reach: 9092 plaintext, 9094 TLS, 9096 SCRAM, 9098 IAM."
  type        = set(number)
  default     = [9092, 9094]
  nullable    = false
}

variable "msk_security_group_id" {
  description = "Group of brokers that are there; it is told to take connections of the processor."
  type        = string
  default     = null
}
