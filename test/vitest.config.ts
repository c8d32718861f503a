import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/leftovers.ts'],
    include: ['test/**/*.test.ts'],
    // What handlers say and measure is read where a test is about it.
    env: {
      ...{ POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' },
      // CDK's own validation of templates takes seconds of each process and only warns; test/cdk/nag.test.ts holds us to it.
      CDK_VALIDATION: 'false',
    },
    // Real processes, a JVM and sandboxes: two files at a time is what two cores bear.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
