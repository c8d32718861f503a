import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/leftovers.ts'],
    include: ['test/**/*.test.ts'],
    // Real processes, a JVM and sandboxes: two files at a time is what two cores bear.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
