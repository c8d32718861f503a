/**
 * The tables, as the store needs them and the construct creates them. Nothing else may know a key or attribute name.
 *
 * Both tables: on-demand capacity, no secondary index, no stream, TTL on `expires` (seconds since 1970).
 *
 * shards: what one segment adds to one request of one instance; one of a segment's shards also tells of the segment itself.
 *   instanceId                     part
 *   0192f0c4-…                     <reqId>#<first>-<last>      local subgraph (`data`), or where it was spilled to (`spill`)
 *   0192f0c4-…                     ~init#<first>-<last>        the same for what happened outside any request
 *   0192f0c4-…                     ~~segment#<first>-<last>    a segment that adds nothing to the graph, or was forgotten (`gone`):
 *                                                              what is known of it
 *
 * links: every node through which a path can leave its shard, the search index, and the lists.
 *   key                            place
 *   join:lambda:<request id>       <time>#<instance>#<req>#<node hash>#<seq>
 *   resource:sqs:orders            ~bucket#2026-03-01T10:05#3  a shared resource was touched by a segment listed in that minute of that
 *                                                              list: the segment's row there says when and how (`touches`)
 *   host:evil.example              ~bucket#2026-03-01          keys that everybody touches name their buckets …
 *   host:evil.example%@2026-03-01  <time>#<instance>#…         … and keep the rows there
 *   ~hours                         2026-03-01T10#3             which lists exist
 *   ~requests#2026-03-01T10#3      <time>#<instance>#<req>#<first>-<last>   requests that began in this hour, spread over `listSpread`;
 *                                                              one row of each segment has its counts, and is written last
 *   resource:s3://b/k@v%@1         <time>#<instance>#…         one version of an object, one item: by instance
 *   ~sums                          2026-03-01                  sums of these counts
 *   ~functions                     2026-03-01#<function>       functions seen that day
 *   ~poison                        <segment key>               segments set aside, with the reason
 *   ~baseline#<fn>#<version>        set#<hash>                  things that cold starts of the version showed, each set once
 *   ~baseline#<fn>#<version>        instance#<instance>#<first> which set this instance showed
 *   ~witness#2026-03-01T10#<fn>#3  <req>#<witness>             an invocation as a witness outside the instance has it
 *   ~witnesses                     2026-03-01T10#<fn>          which of these lists exist
 *   join:lambda:<request id>       ~witness#cloudtrail         what CloudTrail says of the call, which may lie hours before
 *   join:apigw:<request id>        ~witness#access-log         what the API's access log says
 *   ~instances                     2026-03-01#<function>       of which functions the platform told of instances that day
 *   ~instances#<fn>                <log stream>                an instance as the platform's log has it
 *   ~instances#<fn>                <log stream>#<extension>    what became of an extension of it
 *   ~unread                        2026-03-01#<source>         how much of what witnesses said nobody could read
 *   ~inventory                     <function>                  how it is configured, as last seen
 *   ~findings                      <function>#<instance>#<kind>#…   what the verification of segments found
 *   ~forgotten                     <function>#<instance>#<first>-<last>   a segment that was deleted on purpose, by whom and why
 *   ~changes                       <time>#<event id>           somebody changed a function
 *   ~changes#<fn>                  <time>#<event id>           the same, by function
 */
export const shardsTable = { partitionKey: 'instanceId', sortKey: 'part', ttl: 'expires' } as const;
export const linksTable = { partitionKey: 'key', sortKey: 'place', ttl: 'expires' } as const;

/** How many partitions one hour's list is spread over: 4 take about 4,000 new requests a second. */
export const listSpread = 4;

/** How many partitions the rows of one version of an object or one item are spread over: 2 take 2,000 a second. All are read. */
export const fanSpread = 2;

/** Environment of Alastor's own functions. */
export const environment = {
  /** Which of them it is: its folder in `functions/`. */
  part: 'ALASTOR_PART',
  shards: 'ALASTOR_SHARDS_TABLE',
  links: 'ALASTOR_LINKS_TABLE',
  bucket: 'ALASTOR_BUCKET',
  /** Address of the queue of what the witness function could not take; of the query function. Optional. */
  witnessDeadLetters: 'ALASTOR_WITNESS_DEAD_LETTERS',
  /** Days that rows and spilled shards are kept, default 90. Stitcher only. */
  retentionDays: 'ALASTOR_RETENTION_DAYS',
  /** Days that the index has entries of requests that did nothing but call services of AWS; default the same. Stitcher only. */
  benignRetentionDays: 'ALASTOR_BENIGN_RETENTION_DAYS',
} as const;

/** How often the stitcher is given a message before it goes to the dead-letter queue. */
export const mostReceives = 5;

/** Notifications must be limited to this prefix, or a spilled shard would be stitched again. Read by the query function as evidence. */
export const segmentPrefix = 'segments/';
/** Shards too large for a table item: `spill/<instanceId>/<part>`. Read and written by the stitcher, read by the query function. */
export const spillPrefix = 'spill/';
/** What was deleted on purpose: tombstones (tombstone.ts). No function writes here, and nobody overwrites one. */
export const forgottenPrefix = 'forgotten/';
