/** Why properties that occur on many resource types have no effect locally. */
export const TAGS = 'tags have no effect locally';
export const ENCRYPTION = 'what is at rest lies unencrypted in the state directory, which is deleted at the end';
export const DESCRIPTION = 'text for people';
export const NO_AUTHORISATION = 'what roles may do is checked for S3 and DynamoDB only';
export const NO_METRICS = 'there are no metrics or access logs locally';
export const NO_TRACING = 'trace headers are passed on, but there is no X-Ray locally';
export const NO_NETWORKS = 'functions share the network of the machine';
export const NO_CAPACITY = 'tables take whatever the machine can do';
export const SHORT_LIVED = 'nothing outlives the engine';
