/** Whether roles can do what they must and, those of audited functions, nothing else to evidence. */
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import type { S3Client } from '@aws-sdk/client-s3';
import { inParallel } from '../../functions/store/table.ts';
import type { clientOf } from '../aws.ts';
import { plural } from '../screen.ts';
import type { Audited } from './attached.ts';
import { type Finding, look, ok, unknown } from './finding.ts';
import { Roles } from './roles.ts';
import { Simulation } from './simulation.ts';
import type { Installation } from './survey.ts';

/** Roles that are looked at: each takes five calls of IAM or more, which takes a few dozen a second. */
const MOST_ROLES = 500;
/** Read at once. */
const WIDTH = 4;
const NEEDS =
  'iam:GetRole, ListRolePolicies, GetRolePolicy, ListAttachedRolePolicies, GetPolicy, GetPolicyVersion; s3:GetBucketPolicy, GetEncryptionConfiguration; kms:GetKeyPolicy';

export async function permissionChecks(
  client: ReturnType<typeof clientOf>,
  s3: S3Client,
  installation: Installation,
  queueArn: string | undefined,
  audited: readonly Audited[],
  note: (text: string) => void,
): Promise<readonly Finding[]> {
  const [iam, kms] = [new IAMClient(client), new KMSClient(client)];
  try {
    return await look('permissions', NEEDS, async () => {
      const simulation = await Simulation.open(new Roles(iam), s3, kms, installation, queueArn);
      const own = [...installation.parts].map(
        ([part, fn]) =>
          () =>
            simulation.ofPart(part, fn),
      );
      const roles = new Map<string, Audited[]>();
      for (const one of audited) {
        const role = one.configuration.Role ?? '';
        roles.set(role, [...(roles.get(role) ?? []), one]);
      }
      const looked = [...roles].slice(0, MOST_ROLES);
      const theirs = looked.map(
        ([arn, fns]) =>
          () =>
            simulation.ofAudited(arn, fns),
      );
      const tasks = [...own, ...theirs];
      let done = 0;
      const findings = await inParallel(tasks, WIDTH, async (task) => {
        const found = await look('permissions', NEEDS, task);
        note(`permissions of roles, ${++done} of ${tasks.length}`);
        return found;
      });
      return summed(findings.flat(), roles.size - looked.length);
    });
  } finally {
    iam.destroy();
    kms.destroy();
  }
}

/** What is well as one finding, what could not be looked at once for each reason, the rest by name. */
function summed(findings: readonly Finding[], left: number): readonly Finding[] {
  const well = findings.filter(({ state }) => state === 'ok');
  const reasons = Map.groupBy(
    findings.filter(({ state, what }) => state === 'unknown' && what === 'permissions'),
    ({ says }) => says,
  );
  const others = findings.filter((one) => one.state !== 'ok' && !(one.state === 'unknown' && one.what === 'permissions'));
  return [
    ...(well.length === 0
      ? []
      : [ok('permissions', `${plural(well.length, 'role')} can do what they must, and nothing else to evidence`)]),
    ...others.sort((a, b) => (a.what < b.what ? -1 : 1)),
    ...[...reasons].map(([says, [one, ...more]]) =>
      unknown(
        'permissions',
        `${says}${more.length === 0 ? '' : ` (and of ${plural(more.length, 'other role')})`}`,
        one?.mend ?? '',
      ),
    ),
    ...(left > 0
      ? [
          unknown(
            'permissions',
            `of ${plural(left, 'role')} not looked at: there are more than ${MOST_ROLES}`,
            'ask `aws iam simulate-principal-policy` for those that matter',
          ),
        ]
      : []),
  ];
}
