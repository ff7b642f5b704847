terraform {
  required_version = ">= 1.9, < 2"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7"
    }
  }
}
