using System;

namespace Ancm.Hosting.Http
{
    /// <summary>What <c>IHttpRequestBodyDetectionFeature</c> has, from .NET 5 on.</summary>
    public class BodyDetection
    {
        /// <summary>Whether the request can have a body.</summary>
        public virtual bool CanHaveBody => Answer();

        internal Func<bool> Answer { private get; set; } = () => false;
    }
}
