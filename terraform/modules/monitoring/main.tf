# Metrics from the processor's own log lines, alarms over them, one topic that carries the alarms, and a dashboard.
#
# Every step is one JSON line. Nothing here costs anything while nothing runs but the alarms themselves.

data "aws_region" "here" {}

data "aws_caller_identity" "here" {}

locals {
  namespace = "csv-to-kafka/${var.name}"

  filters = {
    RowsCommitted = { pattern = "{ $.step = \"committed\" }", value = "$.rows", unit = "Count" }
    Commits       = { pattern = "{ $.step = \"committed\" }", value = "1", unit = "Count" }
    SendMs        = { pattern = "{ $.step = \"committed\" }", value = "$.send_ms", unit = "Milliseconds" }
    CommitMs      = { pattern = "{ $.step = \"committed\" }", value = "$.commit_ms", unit = "Milliseconds" }
    Retries       = { pattern = "{ $.step = \"retrying\" }", value = "1", unit = "Count" }
    Errors        = { pattern = "{ $.level = \"ERROR\" }", value = "1", unit = "Count" }
    # A run that is not at its end; it waits 75 s at most without a line. A completed job started again says `done` only.
    Working = {
      pattern = "{ $.step = \"claimed\" || $.step = \"fenced\" || $.step = \"resumed\" || $.step = \"read\" || $.step = \"sent\" || $.step = \"retrying\" }"
      value   = "1"
      unit    = "Count"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.filters

  name           = "${var.name}-${each.key}"
  log_group_name = var.log_group_name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.namespace
    name      = each.key
    value     = each.value.value
    unit      = each.value.unit
  }
}

# ------------------------------------------------------------------------------------------------------------- topic

resource "aws_sns_topic" "alarms" {
  name = "${var.name}-alarms"
}

data "aws_iam_policy_document" "alarms" {
  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }

  statement {
    sid       = "Events"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

# ------------------------------------------------------------------------------------------------------------ alarms

resource "aws_cloudwatch_metric_alarm" "run_failed" {
  alarm_name          = "${var.name}-run-failed"
  alarm_description   = "A run ended with `refused` or `failed`: its last line says why and what to do."
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.this["Errors"].metric_transformation[0].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

# For the death that leaves no line: the service's own count of failures.
resource "aws_cloudwatch_metric_alarm" "job_failed" {
  count = var.failures_metric == null ? 0 : 1

  alarm_name          = "${var.name}-job-failed"
  alarm_description   = "The job failed for good: a restart does not mend it, or the restarts are used up."
  namespace           = var.failures_metric.namespace
  metric_name         = var.failures_metric.name
  dimensions          = var.failures_metric.dimensions
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "error_rate" {
  alarm_name          = "${var.name}-error-rate"
  alarm_description   = "Of the batches that were tried, this percentage had to be tried again or failed."
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold           = var.error_rate_percent
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "rate"
    expression  = "100 * (FILL(retries, 0) + FILL(errors, 0)) / (FILL(commits, 0) + FILL(retries, 0) + FILL(errors, 0))"
    label       = "Error rate in percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { retries = "Retries", errors = "Errors", commits = "Commits" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = aws_cloudwatch_log_metric_filter.this[metric_query.value].metric_transformation[0].name
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

# Two windows in a row in which somebody worked and no row was committed: so it takes between once and twice the
# minutes, and the start of a run in the last seconds of a window is no alarm.
resource "aws_cloudwatch_metric_alarm" "stalled" {
  alarm_name          = "${var.name}-stalled"
  alarm_description   = "A run works, and has committed no row for ${var.stalled_minutes} minutes or more. Silent when nothing runs."
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "stalled"
    expression  = "IF(FILL(running, 0) > 0 AND FILL(rows, 0) == 0, 1, 0)"
    label       = "Runs without a committed row"
    return_data = true
  }

  metric_query {
    id = "rows"

    metric {
      namespace   = local.namespace
      metric_name = aws_cloudwatch_log_metric_filter.this["RowsCommitted"].metric_transformation[0].name
      period      = var.stalled_minutes * 60
      stat        = "Sum"
    }
  }

  metric_query {
    id = "running"

    metric {
      namespace   = var.running_metric == null ? local.namespace : var.running_metric.namespace
      metric_name = var.running_metric == null ? aws_cloudwatch_log_metric_filter.this["Working"].metric_transformation[0].name : var.running_metric.name
      dimensions  = var.running_metric == null ? null : var.running_metric.dimensions
      period      = var.stalled_minutes * 60
      stat        = "Maximum"
    }
  }
}

# --------------------------------------------------------------------------------------------------------- dashboard

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for number, widget in [
        { title = "Rows committed a minute", stat = "Sum", metrics = ["RowsCommitted"] },
        { title = "Milliseconds to send and to commit a batch, p90", stat = "p90", metrics = ["SendMs", "CommitMs"] },
        { title = "Retries and errors", stat = "Sum", metrics = ["Retries", "Errors"] },
        ] : {
        type   = "metric"
        x      = 8 * number
        y      = 0
        width  = 8
        height = 6
        properties = {
          title   = widget.title
          region  = data.aws_region.here.id
          period  = 60
          stat    = widget.stat
          metrics = [for name in widget.metrics : [local.namespace, aws_cloudwatch_log_metric_filter.this[name].metric_transformation[0].name]]
        }
      }
    ]
  })
}
