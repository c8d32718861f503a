/**
 * What nearly every shard says, for the compressor to point at instead of spelling it out: halves a shard of one request. Part
 * of the encoding: whatever is changed here makes stored shards unreadable, so it needs a new format number in `encode.ts`.
 */
export const DICTIONARY = Buffer.from(
  [
    '{"kind":"gap","id":"gap:\u0001:","instance":"\u0001","why":"","lost":0,"detail":"',
    '{"kind":"function","id":"function:","name":"","version":"$LATEST","runtime":"nodejs24.x","region":"us-east-1","initType":"on-demand"',
    '{"kind":"client","id":"client:127.0.0.1:Mozilla/5.0","sourceIp":"127.0.0.1","userAgent":"curl/8',
    '{"kind":"endpoint","id":"endpoint:","host":"","addr":"127.0.0.1","port":443,"local":"\u0001","first":',
    '"id":"endpoint:\u0001:in:unix:/tmp/","id":"endpoint:\u0001:out:tcp:',
    '{"kind":"file","id":"file:\u0001:/tmp/","instance":"\u0001","path":"/tmp/","writable":true,"first":',
    '{"kind":"image-tree","id":"image-tree:\u0001:/var/task","root":"/var/task","instance":"\u0001","first":',
    '"root":"/usr"/lib"/etc"/proc"/opt"/var/lang"/var/runtime"/bin"/sys"/dev"',
    '"exe":"/usr/bin/sh","argv":["sh","-c","/bin/sh","/var/lang/bin/node","python3"],"cwd":"/var/task","started":\u0004,"exited":\u0004,"exitCode":0',
    '"host":"s3.us-east-1.amazonaws.com","dynamodb.us-east-1.amazonaws.com","sqs.eu-west-1.amazonaws.com","lambda.","events.","sns.",',
    '"scheme":"https","port":443,"path":"/2015-03-31/functions/","aws":{"service":"lambda","operation":"Invoke"},"keys":[{"key":"lambda:',
    '"aws":{"service":"sqs","operation":"SendMessage"},"aws":{"service":"events","operation":"PutEvents"}',
    '"aws":{"service":"dynamodb","operation":"GetItem"},"operation":"PutItem"UpdateItem"Query"},"keys":[{"key":"ddb:","sure":"inferred"},{"key":"ddbimg:',
    '"type":"table-item","resource":"ddb:","type":"table","type":"queue","resource":"sqs:","type":"event-bus","resource":"events:default","type":"function","resource":"lambda:',
    '{"kind":"resource","id":"resource:s3://","type":"s3-object","resource":"s3://","type":"bucket","first":',
    '"trigger":{"type":"http","sourceIp":"","userAgent":"","method":"POST","path":"/"},"trigger":{"type":"eventbridge","source":"',
    '"trigger":{"type":"sqs","source":"type":"dynamodb","type":"s3","source":"type":"invoke"},"keys":[{"key":"lambda:\u0002","sure":"exact"},{"key":"trace:1-',
    '","sure":"inferred"},{"key":"apigw:","sure":"exact"},{"key":"event:","sure":"exact"}],"eventSha":"',
    '"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
    '{"kind":"exchange","id":"exchange:\u0001:\u0002:","instance":"\u0001","partition":"\u0002","first":\u0004,"last":\u0004,"method":"POST","scheme":"http",',
    '"host":"127.0.0.1","port":443,"path":"/","sent":0,"received":0,"keys":[],"status":200,"addr":"127.0.0.1","sentSha":"","receivedSha":"',
    '"method":"PUT","method":"GET","aws":{"service":"s3","operation":"PutObject"},"operation":"GetObject"ListObjectsV2"},"keys":[{"key":"s3req:","sure":"exact"},{"key":"s3:',
    '{"kind":"process","id":"process:\u0001:\u0002:16@","instance":"\u0001","partition":"\u0002","proc":"16@","first":\u0004,"last":\u0004},',
    '{"nodes":[{"kind":"instance","id":"instance:\u0001","instance":"\u0001","fn":"","first":\u0004,"last":\u0004},',
    '{"nodes":[{"kind":"request","id":"request:\u0001:\u0002","instance":"\u0001","fn":"\u0003","partition":"\u0002","first":\u0004,"last":\u0004,"begin":\u0004,',
    '","end":\u0004,"status":"ok","responseSha":"","status":"error","errorType":"',
    '}],"edges":[[0,1,"runs",0,[0,1,"start",[0,1,"exec",[0,1,"read",[0,1,"call",[0,1,"send",[0,1,"reply",[0,1,"connect",[0,1,"lookup",',
    '[0,1,"invoke",0,[0,1,"image",[0,1,"unlink",[0,1,"rename",[0,1,"receive",1,[1,0,"serves",0,\u0004,0,0,1,[0]],[2,0,"event",0,\u0004,',
    '0,0,1,[1]],[3,4,"request",0,\u0004,0,0,1,[2]],[4,3,"response",0,\u0004,0,0,1,[2]],[4,5,"write",0,\u0004,0,0,1,[2]],[5,4,"read",0,\u0004,0,0,1,[2]]]}',
  ].join(''),
);
