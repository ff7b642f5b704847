# Where the processor runs: two zones, each with a public and a private subnet, or a network that is there.

data "aws_availability_zones" "here" {
  count = local.own ? 1 : 0
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"] # no local zones: they lack most services
  }
}

data "aws_region" "here" {}

locals {
  own       = var.existing_vpc == null
  zones     = local.own ? slice(data.aws_availability_zones.here[0].names, 0, 2) : []
  vpc_id    = local.own ? aws_vpc.this[0].id : var.existing_vpc.vpc_id
  msk_group = var.msk_security_group_id == null ? aws_security_group.msk[0].id : var.msk_security_group_id
  subnets   = local.own ? aws_subnet.private[*].id : var.existing_vpc.private_subnet_ids
}

# ---------------------------------------------------------------------------------------------------------- the VPC

resource "aws_vpc" "this" {
  count = local.own ? 1 : 0

  cidr_block           = var.cidr
  enable_dns_hostnames = true # brokers are found by name
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

# Nothing uses the group that a VPC is born with, so it allows nothing.
resource "aws_default_security_group" "closed" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "public" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 4, count.index)
  tags              = { Name = "${var.name}-public-${local.zones[count.index]}" }
}

resource "aws_subnet" "private" {
  count = length(local.zones)

  vpc_id            = aws_vpc.this[0].id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(var.cidr, 4, 8 + count.index)
  tags              = { Name = "${var.name}-private-${local.zones[count.index]}" }
}

# ----------------------------------------------------------------------------------------------------------- routes

resource "aws_internet_gateway" "this" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = var.name }
}

# One for both zones: cheaper than two, and its zone's end is the end of the run's way out, not of a row.
resource "aws_eip" "nat" {
  count = local.own ? 1 : 0

  domain     = "vpc"
  tags       = { Name = "${var.name}-nat" }
  depends_on = [aws_internet_gateway.this] # an address without a gateway cannot be reached
}

resource "aws_nat_gateway" "this" {
  count = local.own ? 1 : 0

  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = var.name }
}

resource "aws_route_table" "public" {
  count = local.own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "to_the_internet" {
  count = local.own ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[0].id
}

resource "aws_route_table_association" "public" {
  count = length(local.zones)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route_table" "private" {
  count = length(local.zones)

  vpc_id = aws_vpc.this[0].id
  tags   = { Name = "${var.name}-private-${local.zones[count.index]}" }
}

resource "aws_route" "to_the_nat" {
  count = length(local.zones)

  route_table_id         = aws_route_table.private[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[0].id
}

resource "aws_route_table_association" "private" {
  count = length(local.zones)

  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[count.index].id
}

# Free of charge, while a NAT gateway takes a price for each gigabyte: the whole CSV object comes this way.
resource "aws_vpc_endpoint" "gateway" {
  for_each = local.own ? toset(["s3", "dynamodb"]) : []

  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${data.aws_region.here.id}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = aws_route_table.private[*].id
  tags              = { Name = "${var.name}-${each.key}" }
}

# -------------------------------------------------------------------------------------------------- security groups

resource "aws_security_group" "processor" {
  name_prefix = "${var.name}-processor-"
  description = "The processor: nobody connects to it; it reaches S3, DynamoDB, Kafka and CloudWatch"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-processor" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "processor" {
  security_group_id = aws_security_group.processor.id
  description       = "Everywhere: brokers and the services of AWS have no fixed addresses"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_security_group" "msk" {
  count = var.msk_security_group_id == null ? 1 : 0

  name_prefix = "${var.name}-msk-"
  description = "Brokers: from the processor, and from nowhere else"
  vpc_id      = local.vpc_id
  tags        = { Name = "${var.name}-msk" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "msk" {
  for_each = toset([for port in var.kafka_ports : tostring(port)])

  security_group_id            = local.msk_group
  referenced_security_group_id = aws_security_group.processor.id
  description                  = "Kafka, from the processor"
  from_port                    = tonumber(each.key)
  to_port                      = tonumber(each.key)
  ip_protocol                  = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "msk" {
  count = var.msk_security_group_id == null ? 1 : 0

  security_group_id = aws_security_group.msk[0].id
  description       = "Everywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}
