/** What seed.ts puts into the tables, and what the traffic therefore can ask for. Cards are test numbers that no bank has issued. */

export const products = [
  { product: 'bluetooth-speaker', name: 'Bluetooth Speaker', price: 4_999 },
  { product: 'camera-bag', name: 'Camera Bag', price: 7_450 },
  { product: 'e-reader', name: 'E-Reader', price: 12_900 },
  { product: 'game-console', name: 'Game Console', price: 39_900 },
  { product: 'television', name: 'Television', price: 89_900 },
  { product: 'studio-monitor', name: 'Studio Monitor', price: 149_500 },
] as const;

export const customers = [
  { user: 'ada', number: '5555555555554444', holder: 'Ada Perez', expiry: '04/29' },
  { user: 'brian', number: '4111111111111111', holder: 'Brian Moss', expiry: '11/28' },
  { user: 'chen', number: '5105105105105100', holder: 'Chen Li', expiry: '01/30' },
  { user: 'dana', number: '4012888888881881', holder: 'Dana Novak', expiry: '09/28' },
  { user: 'emeka', number: '4222222222222', holder: 'Emeka Okafor', expiry: '06/29' },
] as const;
