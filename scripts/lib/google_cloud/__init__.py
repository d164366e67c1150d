"""Google Cloud, by its command-line program gcloud: buckets, job specifications, what jobs cost."""
