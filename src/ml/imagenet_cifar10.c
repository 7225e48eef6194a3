/* Copyright 2026 The libbeam Authors. SPDX-License-Identifier: Apache-2.0 */
/* imagenet_cifar10.c - which of ImageNet-1k's classes count as which of CIFAR-10's.
 *
 * A network that was trained on ImageNet has a thousand outputs, and CIFAR-10 ten classes.  Its
 * answer for one of the ten is the sum of the probabilities of the ImageNet classes below.
 *
 * They were chosen by hand, from ImageNet's names (the order of ILSVRC 2012) and CIFAR-10's own
 * description, by one rule: a class counts when nearly every picture of it belongs in that one of
 * the ten, and otherwise in none.  So
 *   - automobile and truck: CIFAR-10 says that automobiles include sedans and SUVs, trucks only
 *     big ones, and that pickups are neither; hence no pickup (717).  Ambulance (407), police van
 *     (734), recreational vehicle (757) and the buses lie between the two, so in none;
 *   - bird: all of ImageNet's, 59; dog: all 118 breeds, but no wolf, fox or wild dog; cat: the
 *     five domestic ones, no big cat;
 *   - deer: ImageNet has none.  Its three antelopes (hartebeest, impala, gazelle) look most like
 *     them and stand in, so what such a network reaches on deer says little about it;
 *   - horse: sorrel is the only one (a zebra is none);
 *   - ship: ships and the larger boats, no canoe (472), gondola (576) or submarine (833).
 * Accuracy by this map compares networks with each other; it is not what one trained on CIFAR-10
 * would reach. */
#include <math.h>

#include <beam/dataset.h>

enum { CIFAR = 10 };
enum { AIRPLANE, AUTOMOBILE, BIRD, CAT, DEER, DOG, FROG, HORSE, SHIP, TRUCK };

static const struct {
    uint16_t first, last;
    uint8_t class;
} ranges[] = {
    {404, 404, AIRPLANE},   /* airliner */
    {895, 895, AIRPLANE},   /* warplane */
    {436, 436, AUTOMOBILE}, /* beach wagon */
    {468, 468, AUTOMOBILE}, /* cab */
    {511, 511, AUTOMOBILE}, /* convertible */
    {609, 609, AUTOMOBILE}, /* jeep */
    {627, 627, AUTOMOBILE}, /* limousine */
    {656, 656, AUTOMOBILE}, /* minivan */
    {661, 661, AUTOMOBILE}, /* Model T */
    {751, 751, AUTOMOBILE}, /* racer */
    {817, 817, AUTOMOBILE}, /* sports car */
    {7, 24, BIRD},          /* cock ... great grey owl */
    {80, 100, BIRD},        /* black grouse ... black swan */
    {127, 146, BIRD},       /* white stork ... albatross */
    {281, 285, CAT},        /* tabby, tiger cat, Persian, Siamese, Egyptian */
    {351, 353, DEER},       /* hartebeest, impala, gazelle */
    {151, 268, DOG},        /* Chihuahua ... Mexican hairless */
    {30, 32, FROG},         /* bullfrog, tree frog, tailed frog */
    {339, 339, HORSE},      /* sorrel */
    {403, 403, SHIP},       /* aircraft carrier */
    {484, 484, SHIP},       /* catamaran */
    {510, 510, SHIP},       /* container ship */
    {554, 554, SHIP},       /* fireboat */
    {625, 625, SHIP},       /* lifeboat */
    {628, 628, SHIP},       /* liner */
    {724, 724, SHIP},       /* pirate ship */
    {780, 780, SHIP},       /* schooner */
    {814, 814, SHIP},       /* speedboat */
    {871, 871, SHIP},       /* trimaran */
    {914, 914, SHIP},       /* yawl */
    {555, 555, TRUCK},      /* fire engine */
    {569, 569, TRUCK},      /* garbage truck */
    {675, 675, TRUCK},      /* moving van */
    {864, 864, TRUCK},      /* tow truck */
    {867, 867, TRUCK},      /* trailer truck */
};
enum { RANGES = sizeof ranges / sizeof *ranges };

int beam_imagenet_to_cifar10(uint32_t imagenet)
{
    for (size_t i = 0; i < RANGES; i++)
        if (imagenet >= ranges[i].first && imagenet <= ranges[i].last)
            return ranges[i].class;
    return -1;
}

uint32_t beam_imagenet_logits_to_cifar10(const float *logits, float *probabilities)
{
    /* Softmax's denominator is the same for all ten, so only the numerators are summed; taking
     * off the largest of the mapped logits keeps at least one of them from vanishing. */
    double sums[CIFAR] = {0}, total = 0;
    float largest = -INFINITY;
    for (size_t r = 0; r < RANGES; r++)
        for (uint32_t i = ranges[r].first; i <= ranges[r].last; i++)
            largest = logits[i] > largest ? logits[i] : largest;
    for (size_t r = 0; r < RANGES; r++)
        for (uint32_t i = ranges[r].first; i <= ranges[r].last; i++)
            sums[ranges[r].class] += exp((double)logits[i] - (double)largest);
    uint32_t best = 0;
    for (uint32_t c = 0; c < CIFAR; c++) {
        total += sums[c];
        if (sums[c] > sums[best])
            best = c;
    }
    for (uint32_t c = 0; probabilities && c < CIFAR; c++)
        probabilities[c] = (float)(sums[c] / total);
    return best;
}
