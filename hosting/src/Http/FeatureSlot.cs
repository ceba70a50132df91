namespace Ancm.Hosting.Http
{
    /// <summary>The place of one feature, looked for once; negative where it has none.</summary>
    internal static class FeatureSlot<TFeature>
    {
        public static readonly int Index = FeatureSlots.IndexOf(typeof(TFeature));
    }
}
