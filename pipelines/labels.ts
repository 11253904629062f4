import { z } from 'zod';

const product = z.object({
  sku: z.string().regex(/^[A-Z]{2}-\d{4}$/),
  name: z.string().min(1),
  brand: z.string(),
  category: z.array(z.string()).min(1),
  price: z.number().positive(),
  currency: z.string().length(3),
  description: z.string().optional(),
});

/** What the shop's structured events carry in their labels. */
export const shopLabels = {
  'product/view': product,
  'cart/*': product.extend({ quantity: z.int().positive() }),
  'search/results': z.object({ term: z.string().min(1), results: z.int().nonnegative() }),
  'com.example.shop/recommendation_click': z.object({
    sku: z.string(),
    position: z.int().nonnegative(),
    recommender: z.string(),
  }),
};
